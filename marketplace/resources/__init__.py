"""One class per URL: validate, open the transaction, call, answer."""

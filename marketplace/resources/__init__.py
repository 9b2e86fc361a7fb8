"""One class per URL: validate, open the transaction, call, record, respond."""

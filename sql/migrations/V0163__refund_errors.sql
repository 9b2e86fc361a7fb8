-- Why a refund could not be sent is a short text. The next migration validates it.
ALTER TABLE refunds ADD CONSTRAINT refunds_error_check CHECK (char_length(error) <= 500) NOT VALID;

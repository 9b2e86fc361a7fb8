"""What gunicorn is given: how many workers, how they drain, and what a reload asks first."""

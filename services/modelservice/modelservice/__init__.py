"""Serves the churn model that is in production and follows promotions without a restart."""

"""The steps of a model's life, one command each."""

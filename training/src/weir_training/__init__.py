"""Trains the models that weir serves, from the tables that ``weir export`` writes."""

"""Texts read as data, with limits; failures name places and quote nothing."""

"""External secret managers behind one contract: see :mod:`app.providers.managers.base`."""

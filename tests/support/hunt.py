"""The hunt of the leak drill, which the tests share: does a value stand where it must not?"""

from app.cli.drill.forms import forms_of, layers
from app.cli.drill.hunt import Hit, Hunt

__all__ = ["Hit", "Hunt", "forms_of", "layers"]

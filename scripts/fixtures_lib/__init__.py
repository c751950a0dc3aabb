"""How the fixtures are made; `scripts/make-fixtures` runs it."""

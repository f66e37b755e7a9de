"""`python -m local.collection`: write both files into docs/."""

from local.collection.files import write

write()

"""A page for every reason that an error can have: what it is, why it comes, and what to do."""

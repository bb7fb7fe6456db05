"""Links that bytes arrive by. Each module here is imported only when its scheme is opened."""

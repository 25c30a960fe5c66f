"""README's cookbook: what each recipe works on, its command, and the picture of it."""

"""Where values become those of pandas, NumPy and Arrow, and back; and files of any address."""

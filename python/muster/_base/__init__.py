"""Leaves that everything stands on: names, values, tokens, bytes. Imports nothing of muster but itself and `muster.config`."""

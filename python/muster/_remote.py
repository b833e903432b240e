"""What an executor needs of the package to run pipelines that call Python."""

import pickle


def load_object(body):
    """Return an object of a program from its pickle."""
    return pickle.loads(body)

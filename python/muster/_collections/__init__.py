"""What all lazy collections share: graphs of tasks, and running them."""

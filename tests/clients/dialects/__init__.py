"""The APIs that models are called by: how a request is read, and how an answer is streamed."""

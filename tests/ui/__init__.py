"""What a person sees of the desk in Prefect: real servers, real workers. Run by `make test-ui`."""

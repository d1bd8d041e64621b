"""One step of the work each: plain functions, and the Prefect tasks around them."""

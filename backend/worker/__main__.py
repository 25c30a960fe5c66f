"""`python -m backend.worker`: started by the server and by nobody else."""

from .process import main

if __name__ == "__main__":
    main()

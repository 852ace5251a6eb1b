"""A network process on a machine with two GPUs, as far as its parent can tell. Named by tests only."""

from inference import network_main
from inference.runners import cuda

cuda.count_gpus = lambda: 2

if __name__ == "__main__":
    network_main.main()

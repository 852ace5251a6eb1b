"""A child whose decoder obeys the file: what a hostile codestream might make a decoder do. Named by tests only."""

import ctypes
import os
import sys
import time
from pathlib import Path

from inference import child_main, wire
from inference.wire import Message


class Hostile(child_main.Examine):
    """Does what the file says, or examines it."""

    def __call__(self, request: Message) -> Message:
        word = Path(request["path"]).read_bytes()[:40].decode("ascii", "replace").strip()
        if word.startswith("grading "):
            wire.send(self._answers, {"stage": "grading"})
            word = word.removeprefix("grading ")
        match word:
            case "abort":
                os.abort()
            case "segfault":
                ctypes.string_at(0)
            case "exit":
                os._exit(0)
            case "loop":
                while True:
                    pass
            case "hold the interpreter":
                ctypes.PyDLL(None).sleep(1000)
            case "allocate":
                taken = bytearray(8 << 30)
                taken[-1] = 1
            case "allocate bit by bit":
                hoard = []
                while True:
                    hoard.append(bytearray(64 << 20))
            case "write":
                with Path(request["out"], "1-full.jpg").open("wb") as stream:
                    stream.writelines(bytes(1 << 20) for _ in range(2048))
            case "fork":
                if os.fork() == 0:
                    Path(request["out"], "pid").write_text(str(os.getpid()))
                    time.sleep(1000)
                while True:
                    pass
            case "raise":
                raise ZeroDivisionError("a name of a patient")
            case "babble":
                os.write(self._answers, b"\xff" * 100)
            case "lie":
                return {"examination": {"gradability": "gradable", "frames": [], "runner": ""}}
            case "mutter":
                print("Corrupt JPEG data", flush=True)
                os.write(1, b"\0\0\0\x02{}")
                print("Corrupt JPEG data", file=sys.stderr, flush=True)
            case "open":
                held = []
                while True:
                    held.append(os.open(os.devnull, os.O_RDONLY))
        return super().__call__(request)


child_main.load = Hostile  # type: ignore[assignment]

if __name__ == "__main__":
    child_main.main()

"""What Python's multiprocessing.Manager does a second: manager.py lock|dict|queue SECONDS.

Prints pairs of acquire and release, of one set and one get, or of one put and one get.
"""
import multiprocessing
import sys
import time


def main():
    what, seconds = sys.argv[1], float(sys.argv[2])
    with multiprocessing.Manager() as manager:
        if what == "lock":
            lock = manager.Lock()

            def pair():
                lock.acquire()
                lock.release()
        elif what == "dict":
            shared = manager.dict()

            def pair():
                shared["key"] = "value"
                shared["key"]
        else:
            queue = manager.Queue()

            def pair():
                queue.put("x" * 64)
                queue.get()
        for _ in range(50):
            pair()
        done = 0
        start = time.monotonic()
        while time.monotonic() - start < seconds:
            for _ in range(20):
                pair()
            done += 20
        print(done / (time.monotonic() - start))


if __name__ == "__main__":
    main()

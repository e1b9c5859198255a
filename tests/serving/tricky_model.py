"""A model that does what its input says, for tests of what models may do to a scorer."""

import ctypes
import os
import resource
import subprocess
import sys
import time

import mlflow.models
import mlflow.pyfunc

KEPT = []
FOREVER = [sys.executable, "-c", "import time; time.sleep(3600)"]


class Tricky(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        if "few" in list(model_input["what"]):
            return [1.0] * (len(model_input["what"]) - 1)
        return [self.act(what, number) for what, number in zip(model_input["what"], model_input["number"], strict=True)]

    def act(self, what, number):  # noqa: PLR0911, PLR0912  a line or two for each thing that a model may do
        if what == "die":
            os._exit(7)
        if what == "crash":
            ctypes.string_at(0)
        if what == "exit":
            sys.exit("enough")
        if what == "leak":
            while True:
                KEPT.append(bytes(8 * 1024 * 1024))
        if what == "too much":
            return len(bytes(8 * 1024 * 1024 * int(number)))
        if what == "children":
            staying, leaving = subprocess.Popen(FOREVER), subprocess.Popen(FOREVER, start_new_session=True)
            forked = os.fork()
            if forked == 0:
                time.sleep(3600)
            return [os.getpid(), staying.pid, leaving.pid, forked]
        if what == "limits":
            return [resource.getrlimit(resource.RLIMIT_DATA)[1], resource.getrlimit(resource.RLIMIT_CORE)[1]]
        if what == "hang":
            time.sleep(3600)
        if what == "slow":
            time.sleep(0.3)
        if what == "raise":
            raise ValueError("a secret of somebody: 4711")
        if what == "shout":
            print("x" * 100_000)
            print("y" * 100_000, file=sys.stderr)
        if what == "not a number":
            return float("nan") if number == 0 else number * float("inf")
        if what == "pid":
            return os.getpid()
        if what == "environment":
            return sorted(name for name in os.environ if name.startswith(("TENURE", "MLFLOW", "ORT", "OMP")))
        return number


mlflow.models.set_model(Tricky())

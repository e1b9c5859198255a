"""A model that does what its input says, for tests of what models may do to a scorer."""

import os
import sys
import time

import mlflow.models
import mlflow.pyfunc


class Tricky(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [self.act(what, number) for what, number in zip(model_input["what"], model_input["number"], strict=True)]

    def act(self, what, number):
        if what == "die":
            os._exit(7)
        if what == "hang":
            time.sleep(3600)
        if what == "slow":
            time.sleep(0.3)
        if what == "raise":
            raise ValueError("a secret of somebody: 4711")
        if what == "shout":
            print("x" * 100_000)
            print("y" * 100_000, file=sys.stderr)
        if what == "pid":
            return os.getpid()
        if what == "environment":
            return sorted(name for name in os.environ if name.startswith(("TENURE", "MLFLOW", "ORT", "OMP")))
        return number


mlflow.models.set_model(Tricky())

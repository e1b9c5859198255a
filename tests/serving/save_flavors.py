"""Saves one tiny model of each flavor: `python save_flavors.py FOLDER FLAVOR …`. Each is named after its flavor.

All take the columns `a` and `b` and were made from the same forty rows, so that one test asks all of them alike. Beside
each lies `<flavor>.json` with what the library itself says to four rows.
"""

import json
import sys
import warnings
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pandas as pd
from mlflow.models import infer_signature

rng = np.random.default_rng(4)
FRAME = pd.DataFrame({"a": rng.uniform(0, 1, 40), "b": rng.uniform(0, 1, 40)})
TARGET = (FRAME["a"] + FRAME["b"] > 1).astype(int)
ASKED = FRAME.head(4)


def sklearn(folder):
    import mlflow.sklearn
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0)).fit(FRAME, TARGET)
    answer = model.predict_proba(ASKED)
    mlflow.sklearn.save_model(
        model, folder, pyfunc_predict_fn="predict_proba", serialization_format="cloudpickle", **described(answer)
    )
    return answer


def lightgbm(folder):
    import lightgbm as lgb
    import mlflow.lightgbm

    given = {"objective": "binary", "num_threads": 1, "min_data_in_leaf": 2, "verbosity": -1, "seed": 0}
    model = lgb.train(given, lgb.Dataset(FRAME, TARGET), 5)
    answer = model.predict(ASKED)
    mlflow.lightgbm.save_model(model, folder, **described(answer))
    return answer


def xgboost(folder):
    import mlflow.xgboost
    import xgboost as xgb

    given = {"objective": "binary:logistic", "nthread": 1, "max_depth": 2, "seed": 0}
    model = xgb.train(given, xgb.DMatrix(FRAME, TARGET), 5)
    answer = model.predict(xgb.DMatrix(ASKED))
    mlflow.xgboost.save_model(model, folder, **described(answer))
    return answer


def statsmodels(folder):
    import mlflow.statsmodels
    import statsmodels.api as sm

    model = sm.OLS(TARGET, FRAME).fit()
    answer = model.predict(ASKED).to_numpy()
    mlflow.statsmodels.save_model(model, folder, **described(answer))
    return answer


def onnx(folder):
    """Larger than MLflow's threshold, so that its weights lie in a file of their own beside the graph."""
    import mlflow.onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(5).uniform(0, 1, (2, 400)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("ReduceSum", ["h", "axis"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.array([1]), "axis")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    answer = (ASKED.to_numpy(np.float32) @ weights).sum(axis=1, keepdims=True)
    single = {"signature": infer_signature(ASKED.astype(np.float32), pd.DataFrame(answer, columns=["y"]))}
    mlflow.onnx.save_model(model, folder, **described(answer) | single)
    return [{"y": float(one[0])} for one in answer]


def pytorch(folder):
    import mlflow.pytorch
    import torch

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1)).eval()
    with torch.no_grad():
        answer = model(torch.from_numpy(ASKED.to_numpy(np.float32))).numpy()
    mlflow.pytorch.save_model(model, folder, **pickled(mlflow.pytorch.save_model), **described(answer))
    return answer


def python_model(folder):
    class Sum(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input["a"] + model_input["b"]

    answer = (ASKED["a"] + ASKED["b"]).to_numpy()
    mlflow.pyfunc.save_model(folder, python_model=Sum(), **described(answer))
    return answer


def models_from_code(folder):
    code = Path(folder).parent / "sum_model.py"
    code.write_text(
        "import mlflow\n\n\nclass Sum(mlflow.pyfunc.PythonModel):\n    def predict(self, context, model_input):\n"
        "        return model_input['a'] + model_input['b']\n\n\nmlflow.models.set_model(Sum())\n"
    )
    answer = (ASKED["a"] + ASKED["b"]).to_numpy()
    mlflow.pyfunc.save_model(folder, python_model=str(code), **described(answer))
    return answer


def function(folder):
    def total(model_input):
        return model_input["a"] + model_input["b"]

    answer = (ASKED["a"] + ASKED["b"]).to_numpy()
    mlflow.pyfunc.save_model(folder, python_model=total, **described(answer))
    return answer


def typed_function(folder):
    """A function that says by its type hints what it takes: MLflow reads its signature from them."""

    def total(model_input: list[dict[str, float]]) -> list[float]:
        return [row["a"] + row["b"] for row in model_input]

    mlflow.pyfunc.save_model(folder, python_model=total, pip_requirements=["mlflow"])
    return (ASKED["a"] + ASKED["b"]).to_numpy()


def described(answer):
    return {"signature": infer_signature(ASKED, answer), "input_example": ASKED, "pip_requirements": ["mlflow"]}


def pickled(save):
    """Newer clients ask which way of serialising is meant."""
    import inspect

    return {"serialization_format": "pickle"} if "serialization_format" in inspect.signature(save).parameters else {}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    top = Path(sys.argv[1])
    for flavor in sys.argv[2:]:
        said = globals()[flavor](str(top / flavor))
        plain = said if isinstance(said, list) else said.tolist()
        (top / f"{flavor}.json").write_text(json.dumps({"rows": ASKED.to_dict("records"), "answer": plain}))

"""Saves the models that the tests serve: `python save_models.py FOLDER`."""

import sys
from pathlib import Path

import mlflow.pyfunc
import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, Schema
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def delay(folder: Path) -> None:
    rng = np.random.default_rng(1)
    rows = 500
    frame = pd.DataFrame(
        {
            "carrier": rng.choice(["AA", "UA", "B6"], rows),
            "distance": rng.uniform(100, 2500, rows),
            "hour": rng.integers(5, 23, rows),
        }
    )
    late = (frame["hour"] + rng.normal(0, 4, rows) > 15).astype(int)
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["carrier"]), (StandardScaler(), ["distance", "hour"])
    )
    model = make_pipeline(columns, LogisticRegression()).fit(frame, late)
    mlflow.sklearn.save_model(
        model,
        str(folder),
        signature=infer_signature(frame, model.predict_proba(frame)),
        input_example=frame.head(2),
        pyfunc_predict_fn="predict_proba",
        pip_requirements=["scikit-learn"],
        serialization_format="cloudpickle",
    )


def tricky(folder: Path) -> None:
    inputs = Schema([ColSpec("string", "what"), ColSpec("double", "number", required=False)])
    mlflow.pyfunc.save_model(
        str(folder),
        python_model=str(Path(__file__).parent / "tricky_model.py"),
        signature=ModelSignature(inputs=inputs, outputs=Schema([ColSpec("double")])),
        pip_requirements=["mlflow"],
    )


if __name__ == "__main__":
    delay(Path(sys.argv[1]) / "delay")
    tricky(Path(sys.argv[1]) / "tricky")

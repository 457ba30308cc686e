"""Scores rows as mlflow_model_test.go asks, in the Python of the scorer:

python mlflow_model.py modelservice FOLDER ROWS
python mlflow_model.py mlflow FOLDER ROWS CSV MATRIX HOSTILE

FOLDER and HOSTILE are model folders. ROWS holds {"rows": […], "wrong": […]}: rows to be scored, and rows to be refused
one by one. CSV is read as pandas guesses, and MATRIX holds the features of ROWS's rows as float64. The answer is JSON.
"""

import json
import sys
from pathlib import Path


def modelservice(folder, asked):
    from modelservice import preprocessor
    from modelservice.booster import Booster
    from modelservice.rows import InvalidRows, RowSchema

    p = preprocessor.parse((folder / "data/preprocessor.json").read_bytes())
    schema, booster = RowSchema(p), Booster((folder / "data/model.txt").read_bytes())

    def score(rows):
        features, _ = p.transform(schema.check(rows))
        return booster.predict(features.ctypes.data, *features.shape)

    example = json.loads((folder / "input_example.json").read_bytes())
    return {
        "scores": score(asked["rows"]),
        "refused": [refusal(score, [row], InvalidRows) for row in asked["wrong"]],
        "example": score([dict(zip(example["columns"], row, strict=True)) for row in example["data"]]),
    }


def mlflow(folder, asked, csv, matrix, hostile):
    import lightgbm
    import numpy as np
    import pandas as pd
    from mlflow.exceptions import MlflowException
    from mlflow.lightgbm import load_model as load_booster
    from mlflow.pyfunc import load_model

    model = load_model(str(folder))
    booster = load_booster(str(folder))
    assert isinstance(booster, lightgbm.Booster)
    features = np.fromfile(matrix, dtype="<f8").reshape(-1, booster.num_feature())

    def score(rows):
        return model.predict(rows)["probability"].tolist()

    guessed = pd.read_csv(csv)
    assert guessed["TotalCharges"].dtype.kind == "O" and guessed["SeniorCitizen"].dtype.kind == "i"
    shuffled = guessed.sample(frac=1, random_state=1)
    answer = model.predict(shuffled)
    assert answer.index.equals(shuffled.index)
    odd = load_model(str(hostile))
    return {
        "scores": score(asked["rows"]),
        "refused": [refusal(score, [row], MlflowException) for row in asked["wrong"]],
        "guessed": answer.sort_index()["probability"].tolist(),
        "labels": answer.sort_index()["label"].tolist(),
        "one": score(asked["rows"][0]),
        "floats": score(guessed.astype({"SeniorCitizen": float, "tenure": float})),
        "none": score(guessed.head(0)),
        "booster": booster.predict(features).tolist(),
        "example": score(model.input_example),
        "serving": model.metadata.get_serving_input(str(folder)),
        "hostile": [odd.metadata.get_input_schema().input_names(), odd.predict(odd.input_example)["label"].tolist()],
        "id": model.metadata.model_uuid,
        "outputs": model.metadata.get_output_schema().input_names(),
    }


def refusal(score, rows, error):
    """Return the message of the refusal, or an empty text if there is none."""
    try:
        score(rows)
    except error as err:
        return str(err)
    return ""


if __name__ == "__main__":
    scorer, folder, rows, *more = sys.argv[1:]
    scorers = {"modelservice": modelservice, "mlflow": mlflow}
    json.dump(scorers[scorer](Path(folder), json.loads(Path(rows).read_bytes()), *more), sys.stdout)

"""Say what MLflow has of a model in production, as JSON.

python mlflow_production.py MODEL CSV ROWS

The model is loaded by its stage and by its alias, and scores the first ROWS rows of CSV as pandas reads them.
MLFLOW_TRACKING_URI names the server.
"""

import json
import sys

import mlflow
import pandas as pd
from mlflow import MlflowClient

name, csv, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
data = pd.read_csv(csv).head(rows)
client = MlflowClient()


def files(run, path=None):
    """Return the paths of all artifacts."""
    for found in client.list_artifacts(run, path):
        if found.is_dir:
            yield from files(run, found.path)
        else:
            yield found.path


def scores(uri):
    """Return the model's answer to the rows."""
    return mlflow.pyfunc.load_model(uri).predict(data)["probability"].tolist()


versions = client.search_model_versions(f"name='{name}'")
(production,) = client.get_latest_versions(name, ["Production"])
run = client.get_run(production.run_id)
runs = client.search_runs([run.info.experiment_id])
json.dump(
    {
        "versions": [{"version": int(v.version), "stage": v.current_stage, "tags": v.tags} for v in versions],
        "champion": int(client.get_model_version_by_alias(name, "champion").version),
        "experiment": client.get_experiment(run.info.experiment_id).name,
        "runs": [r.info.run_id for r in runs],
        "run": run.info.run_id,
        "params": run.data.params,
        "metrics": run.data.metrics,
        "tags": run.data.tags,
        "iterations": len(client.get_metric_history(run.info.run_id, "validation_auc_by_iteration")),
        "artifacts": sorted(files(run.info.run_id)),
        "by_stage": scores(f"models:/{name}/Production"),
        "by_alias": scores(f"models:/{name}@champion"),
    },
    sys.stdout,
)

package config

import (
	"crypto/tls"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/registry/mlflow"
)

// mlflow returns the client of the tracking server. It does not connect.
func (c Config) mlflow() (*mlflow.Client, error) {
	const op = "config.Registry"
	client := mlflow.Config{URI: c.TrackingURI, Username: c.MLflow.Username, Password: string(c.MLflow.Password), Token: string(c.MLflow.Token)}
	if c.TrackingURI == Databricks {
		if c.MLflow.DatabricksHost == "" || c.MLflow.DatabricksToken == "" {
			return nil, churn.Errorf(op, churn.Invalid, "MLFLOW_TRACKING_URI is databricks, which needs DATABRICKS_HOST and DATABRICKS_TOKEN")
		}
		client = mlflow.Config{URI: c.MLflow.DatabricksHost, Token: string(c.MLflow.DatabricksToken), Databricks: true}
	}
	transport := mlflow.Transport()
	if c.MLflow.CA != "" {
		roots, err := pool("MLFLOW_TRACKING_SERVER_CERT_PATH", c.MLflow.CA)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	client.Transport = transport
	store, err := c.store()
	if err != nil {
		return nil, err
	}
	client.Objects = store.Client()
	return mlflow.NewClient(client)
}

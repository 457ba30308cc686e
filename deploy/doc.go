// Package deploy holds how the pipeline is deployed: the Compose file's parts, the
// images that are not a service's own, the Helm chart, the dashboard and the
// alerts. Its tests hold all of it, and the Dockerfiles and workflows, against the
// implementations that will read it, and against the code.
package deploy

{{- define "churn.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "churn.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: churn
{{ include "churn.selector" . }}
{{- end -}}

{{/* What tells this release's pods from others. */}}
{{- define "churn.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The image of a component: (dict "root" $ "name" "trainer"). */}}
{{- define "churn.image" -}}
{{- with .root.Values.image -}}
{{- if .registry }}{{ trimSuffix "/" .registry }}/{{ end }}{{ $.name }}:{{ .tag | default $.root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "churn.kafkaUser" -}}
{{- $user := index .root.Values.users .name -}}
{{- $user.kafka.username | default (printf "%s-%s" (include "churn.fullname" .root) .name) -}}
{{- end -}}

{{- define "churn.kafkaSecret" -}}
{{- $user := index .root.Values.users .name -}}
{{- $user.kafka.existingSecret | default (printf "%s-%s" (include "churn.fullname" .root) .name) -}}
{{- end -}}

{{- define "churn.storeSecret" -}}
{{- $user := index .root.Values.users .name -}}
{{- $user.store.existingSecret | default .root.Values.store.existingSecret | required "store.existingSecret: name the Secret that holds the object store's keys" -}}
{{- end -}}

{{/* The topics and the users' rights, made from the pipeline's topology. */}}
{{- define "churn.topology" -}}
{{ .Files.Get "files/topology.yaml" }}
{{- end -}}

{{/* Who a component is: environment entries by reference. */}}
{{- define "churn.identity" -}}
{{- $user := index .root.Values.users .name -}}
{{- with .root.Values.kafka.saslMechanism }}
- name: KAFKA_SASL_MECHANISM
  value: {{ . }}
- name: KAFKA_USERNAME
  value: {{ include "churn.kafkaUser" $ | quote }}
- name: KAFKA_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ include "churn.kafkaSecret" $ }}, key: {{ $user.kafka.passwordKey }}}
{{- end }}
- name: AWS_ACCESS_KEY_ID
  valueFrom:
    secretKeyRef: {name: {{ include "churn.storeSecret" . }}, key: {{ .root.Values.store.accessKeyKey }}}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef: {name: {{ include "churn.storeSecret" . }}, key: {{ .root.Values.store.secretKeyKey }}}
{{- end -}}

{{/* Who the services are to the registry: environment entries by reference. */}}
{{- define "churn.registryIdentity" -}}
{{- with .Values.mlflow }}
{{- if .existingSecret }}
{{- $secret := .existingSecret }}
{{- range $variable, $key := dict "MLFLOW_TRACKING_TOKEN" .tokenKey "MLFLOW_TRACKING_USERNAME" .usernameKey "MLFLOW_TRACKING_PASSWORD" .passwordKey }}
{{- if $key }}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef: {name: {{ $secret }}, key: {{ $key }}}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Whom the notifier tells: environment entries, secrets by reference. */}}
{{- define "churn.notify" -}}
{{- with .Values.notify }}
{{- if .existingSecret }}
{{- $secret := .existingSecret }}
{{- range list "NOTIFY_SLACK_URL" "NOTIFY_SMTP_URL" "NOTIFY_WEBHOOK_URL" "NOTIFY_WEBHOOK_SECRET" }}
- name: {{ . }}
  valueFrom:
    secretKeyRef: {name: {{ $secret }}, key: {{ . }}, optional: true}
{{- end }}
{{- end }}
{{- with .emailFrom }}
- {name: NOTIFY_EMAIL_FROM, value: {{ . | quote }}}
{{- end }}
{{- with .emailTo }}
- {name: NOTIFY_EMAIL_TO, value: {{ join "," . | quote }}}
{{- end }}
{{- with .routes }}
- {name: NOTIFY_ROUTES, value: {{ . | quote }}}
{{- end }}
- {name: NOTIFY_MAX_AGE, value: {{ .maxAge | quote }}}
{{- if .templatesConfigMap }}
- {name: NOTIFY_TEMPLATES, value: /etc/churn/templates}
{{- end }}
{{- if .caSecret.name }}
- {name: NOTIFY_CA, value: /etc/churn/notify/ca.crt}
{{- end }}
{{- end }}
{{- end -}}

{{- define "churn.trainerPeers" -}}
{{- with .Values.trainerPeers }}
{{- if .existingSecret }}
- {name: CHURN_TRAINER_LISTEN, value: "0.0.0.0:7300"}
- {name: CHURN_TRAINER_PEERS, value: "{{ include "churn.fullname" $ }}-trainer:7300"}
- name: CHURN_TRAINER_SECRET
  valueFrom:
    secretKeyRef: {name: {{ .existingSecret }}, key: {{ .secretKey }}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "churn.notifyMounts" -}}
{{- if .Values.notify.templatesConfigMap }}
- {name: templates, mountPath: /etc/churn/templates, readOnly: true}
{{- end }}
{{- if .Values.notify.caSecret.name }}
- {name: notify-ca, mountPath: /etc/churn/notify, readOnly: true}
{{- end }}
{{- end -}}

{{- define "churn.notifyVolumes" -}}
{{- with .Values.notify.templatesConfigMap }}
- name: templates
  configMap: {name: {{ . }}}
{{- end }}
{{- with .Values.notify.caSecret }}
{{- if .name }}
- name: notify-ca
  secret:
    secretName: {{ .name }}
    items: [{key: {{ .key }}, path: ca.crt}]
{{- end }}
{{- end }}
{{- end -}}

{{- define "churn.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- with .Values.kafka.tls.caSecret.name }}
- {name: kafka-ca, mountPath: /etc/churn/kafka, readOnly: true}
{{- end }}
{{- with .Values.store.caSecret.name }}
- {name: store-ca, mountPath: /etc/churn/store, readOnly: true}
{{- end }}
{{- with .Values.mlflow.caSecret.name }}
- {name: mlflow-ca, mountPath: /etc/churn/mlflow, readOnly: true}
{{- end }}
{{- end -}}

{{- define "churn.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: {{ .tmpSize }}}
{{- with .root.Values.kafka.tls.caSecret }}
{{- if .name }}
- name: kafka-ca
  secret:
    secretName: {{ .name }}
    items: [{key: {{ .key }}, path: ca.crt}]
{{- end }}
{{- end }}
{{- with .root.Values.store.caSecret }}
{{- if .name }}
- name: store-ca
  secret:
    secretName: {{ .name }}
    items: [{key: {{ .key }}, path: ca.crt}]
{{- end }}
{{- end }}
{{- with .root.Values.mlflow.caSecret }}
{{- if .name }}
- name: mlflow-ca
  secret:
    secretName: {{ .name }}
    items: [{key: {{ .key }}, path: ca.crt}]
{{- end }}
{{- end }}
{{- end -}}

{{/* What every pod has around its container. */}}
{{- define "churn.pod" -}}
serviceAccountName: {{ include "churn.fullname" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: 20 # a service stops within 10 s
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: &spread
      matchLabels:
        {{- include "churn.selector" .root | nindent 8 }}
        app.kubernetes.io/component: {{ .name }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: *spread
{{- with .root.Values.pod }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "churn.container" -}}
image: {{ include "churn.image" . | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* Of the pod template: a change of the settings is a change of the pod. */}}
{{- define "churn.podMetadata" -}}
labels:
  {{- include "churn.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .name }}
  {{- with .root.Values.pod.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  checksum/settings: {{ include (print $.root.Template.BasePath "/settings.yaml") .root | sha256sum }}
  {{- with .root.Values.pod.annotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

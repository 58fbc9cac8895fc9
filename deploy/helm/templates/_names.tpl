{{- define "innoai.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "innoai.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "innoai.labels" -}}
{{ include "innoai.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- /* What would start, and then be two installations, or limit nothing together. */ -}}
{{- define "innoai.refuseWhatCannotWork" -}}
{{- if and .Values.existingSecret .Values.environment -}}
{{- fail "Give environment or existingSecret, not both: put all variables into the Secret that existingSecret names." -}}
{{- end -}}
{{- if and (gt (int .Values.replicas) 1) (not .Values.existingSecret) -}}
{{- range $name := list "INNOAI_SECRET" "INNOAI_STORE_URL" "INNOAI_LIMITS_URL" -}}
{{- if not (get $.Values.environment $name) -}}
{{- fail (printf "With more than one replica all share a store, limits and the secret: set environment.%s, or name a Secret that has it in existingSecret." $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- fail "Set ingress.host to the name that clients use." -}}
{{- end -}}
{{- end -}}

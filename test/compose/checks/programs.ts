/**
 * Programs for health checks that images have, by their Dockerfiles:
 * kafka docker/jvm/Dockerfile (the distribution in /opt/kafka), clickhouse docker/server/Dockerfile.ubuntu (apt: wget),
 * caddy-docker and grafana (Alpine: busybox), prometheus and alertmanager (quay.io/prometheus/busybox; of Prometheus' two
 * variants the tag without a suffix is that one: release notes of 3.10.0).
 */
export const programsByImage: Readonly<Record<string, readonly string[]>> = {
  'apache/kafka': ['/opt/kafka/bin/kafka-broker-api-versions.sh'],
  'clickhouse/clickhouse-server': ['wget'],
  caddy: ['wget'],
  'grafana/grafana': ['wget'],
  'prom/prometheus': ['wget'],
  'prom/alertmanager': ['wget'],
};

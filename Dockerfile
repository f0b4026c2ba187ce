# Everything that is ours, in one image: `hookwatch <part>` is what a container runs.
#
# The exact version of Node: a worker's function of a lane is tied to Node's major version (services/flow-hash.ts), and
# what was tested is what runs. ClickHouse's embedded engine is an optional package and stays out: the stack has a server.
FROM node:24.21.0-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional && npm cache clean --force

FROM node:24.21.0-bookworm-slim
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json ./
COPY schemas ./schemas
COPY services ./services
COPY scripts/healthcheck.mjs ./scripts/healthcheck.mjs
COPY dashboards/alertmanager/alertmanager.yml ./dashboards/alertmanager/alertmanager.yml
# A named volume takes its owner from the folder that it is first mounted on: user 1000 (`node`) writes to all of these.
RUN printf '#!/bin/sh\nexec node /app/services/hookwatch.ts "$@"\n' > /usr/local/bin/hookwatch \
  && chmod 0755 /usr/local/bin/hookwatch \
  && mkdir -p /data/demo /backups /endpoints /setup/alertmanager /setup/caddy /setup/clickhouse /setup/demo /setup/grafana /setup/sink \
  && chown -R 1000:1000 /data /backups /endpoints /setup
ENV NODE_ENV=production HOOKWATCH_DATA=/data HOOKWATCH_CONFIG=/etc/hookwatch/hookwatch.yaml
USER 1000:1000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "/app/scripts/healthcheck.mjs"]
ENTRYPOINT ["hookwatch"]

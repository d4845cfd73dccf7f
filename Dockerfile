FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
# For a registry or a certificate authority of your own. They stay in this stage.
ARG NPM_CONFIG_REGISTRY
ARG NPM_CONFIG_CA
COPY package.json package-lock.json .npmrc ./
# ONNX Runtime brings its libraries for every platform; an image needs those of its own. echarts/dist is for browsers.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error \
 && rm -rf node_modules/node \
 && find node_modules/onnxruntime-node/bin/napi-v6 -mindepth 2 -maxdepth 2 -type d \
      ! -path "*/linux/$(node -p process.arch)" -exec rm -rf {} + \
 && rm -f node_modules/onnxruntime-node/bin/napi-v6/linux/*/libonnxruntime_providers_* \
 && rm -rf node_modules/echarts/dist

FROM node:24-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production WEIR_HTTP__HOST=0.0.0.0
# A member in a backlog holds a sixth less with these, and is as fast: docs/operations.md, "Memory".
ENV NODE_OPTIONS=--max-semi-space-size=16 MALLOC_ARENA_MAX=2
COPY --from=dependencies /app/node_modules ./node_modules
COPY . .
RUN mkdir .cache && chown node .cache
USER node
# What a first run compiles comes with the image: each container starts in half the time. A member finds no Redis here.
RUN node src/main.js demo --events 100 --out /tmp/demo > /dev/null && rm -r /tmp/demo \
 && ! node src/main.js stream > /dev/null
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/livez').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "src/main.js"]
CMD ["stream"]

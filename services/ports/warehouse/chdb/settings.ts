/**
 * Which URL parameters are settings, and which of them may be set. The list holds what @clickhouse/client,
 * clickhouse-connect, Grafana and Hookwatch's own sink send; nothing in it reaches a file or another machine.
 */
import { refuse } from './exception.ts';

/** Parameters of the HTTP interface itself. Those not acted upon have no effect on a result that is sent whole. */
const interfaceParameters = new Set([
  'query',
  'database',
  'default_format',
  'user',
  'password',
  'quota_key',
  'query_id',
  'session_id',
  'session_timeout',
  'session_check',
  'stacktrace',
  'role',
  'compress',
  'decompress',
  'buffer_size',
  'wait_end_of_query',
  'client_protocol_version',
  'enable_http_compression',
  'http_zlib_compression_level',
  'send_progress_in_http_headers',
  'http_headers_progress_interval_ms',
  'cancel_http_readonly_queries_on_client_close',
  'add_http_cors_header',
  'http_write_exception_in_output_format',
  'http_response_buffer_size',
  'http_wait_end_of_query',
  'http_make_head_request',
  'log_queries',
  'log_comment',
  'readonly',
]);

const allowedSettings = new Set([
  'async_insert',
  'wait_for_async_insert',
  'async_insert_busy_timeout_ms',
  'insert_deduplicate',
  'insert_deduplication_token',
  'insert_quorum',
  'insert_null_as_default',
  'max_insert_block_size',
  'min_insert_block_size_rows',
  'min_insert_block_size_bytes',
  'max_partitions_per_insert_block',
  'max_threads',
  'max_block_size',
  'max_execution_time',
  'max_result_rows',
  'max_result_bytes',
  'result_overflow_mode',
  'max_rows_to_read',
  'max_bytes_to_read',
  'read_overflow_mode',
  'limit',
  'offset',
  'extremes',
  'final',
  'join_use_nulls',
  'union_default_mode',
  'session_timezone',
  'date_time_input_format',
  'date_time_output_format',
  'cast_keep_nullable',
  'cast_string_to_dynamic_use_inference',
  'enable_analyzer',
  'enable_materialized_cte',
  'max_query_size',
  'use_uncompressed_cache',
  'mutations_sync',
  'alter_sync',
  'allow_experimental_json_type',
  'allow_experimental_dynamic_type',
  'allow_experimental_variant_type',
  'enable_json_type',
  'type_json_skip_duplicated_paths',
  'use_hive_partitioning',
]);

/** Families of settings about how a format is read or written, save those that name a file. */
const allowedFamilies = /^(?:input_format|output_format)_[a-z0-9_]+(?<!_path|_schema|_subject)$/;

/** Settings to run a query with, as text; booleans may be words. */
export type Settings = Record<string, string>;

/**
 * The settings among the parameters of a request.
 * @throws ClickHouseException UNKNOWN_SETTING for a parameter that is none or may not be set.
 */
export function pickSettings(parameters: Iterable<readonly [string, string]>): Settings {
  const settings: Settings = {};
  for (const [name, value] of parameters) {
    if (interfaceParameters.has(name) || name.startsWith('param_')) continue;
    if (!allowedSettings.has(name) && !allowedFamilies.test(name)) {
      throw refuse('UNKNOWN_SETTING', `Unknown setting '${name}', or one that cannot be set over this interface`);
    }
    settings[name] = value;
  }
  return settings;
}

/** A string literal. */
export function quoteLiteral(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&').replaceAll('\0', '\\0')}'`;
}

/** A quoted name. */
export function quoteName(text: string): string {
  return `\`${text.replace(/[\\`]/g, '\\$&')}\``;
}

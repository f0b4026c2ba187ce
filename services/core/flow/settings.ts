import type { Control } from '../records/generated.ts';
import { parseDocument } from './documents.ts';
import type { FlowState, Settings } from './state.ts';

export function settingsOf(state: FlowState): Settings | undefined {
  return state.settings.get('', '');
}

/**
 * Takes a settings record. Each names the settings that it replaces; the first of a lane replaces none.
 * Returns why it was ignored, or an empty string.
 */
export function applySettings(state: FlowState, control: Control): string {
  const current = settingsOf(state);
  if (control.predecessor !== (current?.id ?? '')) {
    return `ignored: it replaces settings ${control.predecessor || 'of an empty lane'}, but ${current?.id ?? 'none'} are in force`;
  }
  const parsed = parseDocument('settings', control.document);
  if (!parsed.ok) return `ignored: ${parsed.problem}`;
  state.settings.set('', '', { ...parsed.value, id: control.id });
  return '';
}

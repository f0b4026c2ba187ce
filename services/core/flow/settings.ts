import type { Control } from '../records/generated.ts';
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
  const settings = JSON.parse(control.document) as Settings;
  state.settings.set('', '', { ...settings, id: control.id });
  return '';
}

// SPDX-License-Identifier: Apache-2.0
//
// Text that came from outside. Everything of it that is shown goes through here or through visible().
import {segments} from '../text';

function parts(text: string, singleLine: boolean) {
  return segments(text, singleLine).map((segment, index) =>
    segment.marker ? (
      <span key={index} class="marker" title="a character that cannot be shown">
        {segment.text}
      </span>
    ) : (
      segment.text
    ),
  );
}

export function Text({text}: {text: string | null | undefined}) {
  return <>{parts(text ?? '', true)}</>;
}

// Keeps lines and tabs; for <pre>.
export function Lines({text}: {text: string}) {
  return <>{parts(text, false)}</>;
}

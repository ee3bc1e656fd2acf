// SPDX-License-Identifier: Apache-2.0
//
// Text that came from outside. Everything of it that is shown goes through here or through visible().
import {Fragment} from 'preact';
import {segments, words} from '../text';

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

// A name like http.response.status_code, which a narrow column breaks between its words.
export function Key({text}: {text: string}) {
  return (
    <>
      {words(text).map((word, index) => (
        <Fragment key={index}>
          {index > 0 ? <wbr /> : null}
          <Text text={word} />
        </Fragment>
      ))}
    </>
  );
}

// Keeps lines and tabs; for <pre>.
export function Lines({text}: {text: string}) {
  return <>{parts(text, false)}</>;
}

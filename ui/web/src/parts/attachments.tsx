// SPDX-License-Identifier: Apache-2.0
//
// Files that came with an event or with what somebody said.
import {paths, type Attachment} from '../api';
import {bytes} from '../format';
import {usePolled} from '../hooks';
import {visible} from '../text';
import {Icon} from './icon';
import {Text} from './text';

const pictures = /^image\/(png|jpeg|gif|webp)$/;
const pictureBytesMax = 8 << 20;

export function Attachments({eventId, attachments}: {eventId: string; attachments: Attachment[]}) {
  return (
    <ul class="attachments">
      {attachments.map(attachment => {
        const name = attachment.filename || `attachment ${attachment.id}`;
        const address = paths.attachment(eventId, attachment.id);
        const isPicture =
          attachment.kept && pictures.test(attachment.content_type ?? '') && attachment.bytes <= pictureBytesMax;
        return (
          <li key={attachment.id} class="card">
            {isPicture ? <img src={address} alt={visible(name)} loading="lazy" /> : null}
            <p>
              {attachment.kept ? (
                <a href={address} download={visible(name)}>
                  <Icon name="download" /> <Text text={name} />
                </a>
              ) : (
                <Text text={name} />
              )}
            </p>
            <p class="dim">
              {bytes(attachment.bytes)}
              {attachment.content_type ? (
                <>
                  {' · '}
                  <Text text={attachment.content_type} />
                </>
              ) : null}
              {attachment.attachment_type ? (
                <>
                  {' · '}
                  <Text text={attachment.attachment_type} />
                </>
              ) : null}
            </p>
            {attachment.scrubbed ? <p class="dim">Secrets were taken out of it.</p> : null}
            {attachment.kept ? null : (
              <p>
                Not kept: <Text text={attachment.reason ?? 'no reason is known'} />
              </p>
            )}
          </li>
        );
      })}
    </ul>
  );
}

// Those under the id of an event, or of a feedback; asked for once.
export function AttachmentsOf({id}: {id: string}) {
  const {data, error} = usePolled<{attachments: Attachment[]}>(paths.attachments(id), 0);
  if (error && !data) {
    return (
      <p class="dim" role="alert">
        <Text text={`Its files could not be loaded: ${error.message}`} />
      </p>
    );
  }
  return data && data.attachments.length > 0 ? <Attachments eventId={id} attachments={data.attachments} /> : null;
}

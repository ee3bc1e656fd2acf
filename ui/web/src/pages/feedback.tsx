// SPDX-License-Identifier: Apache-2.0
//
// What people said, of all projects or of one: of errors, and of no error at all (feedback widgets).
import {useLayoutEffect, useRef} from 'preact/hooks';
import {paths, type Feedback, type FeedbackList, type ProjectList} from '../api';
import {useKeys, usePolled} from '../hooks';
import {navigate, replace, restoreScroll} from '../navigation';
import {usePages} from '../paging';
import {Failure, Loading, Stale} from '../parts/notice';
import {Said} from '../parts/said';
import {Text} from '../parts/text';
import {hrefs} from '../route';
import {visible} from '../text';

const pollMs = 5000;

function ProjectChoice({known, value}: {known: string[]; value: string}) {
  const values = value && !known.includes(value) ? [value, ...known] : known;
  return (
    <select
      aria-label="Feedback of project"
      value={value}
      class={value ? 'set' : ''}
      onChange={event => replace(hrefs.feedback(event.currentTarget.value))}
    >
      <option value="">All projects</option>
      {values.map(each => (
        <option key={each} value={each}>
          {visible(each)}
        </option>
      ))}
    </select>
  );
}

function Nothing({project}: {project: string}) {
  return (
    <div class="empty">
      <h2>Nobody has said anything{project ? ' here' : ''} yet</h2>
      <p>
        The feedback widget of a Sentry SDK and its user reports arrive here, those of an error on the error's page too.
      </p>
      {project ? (
        <p>
          <button type="button" onClick={() => replace(hrefs.feedback(''))}>
            All projects
          </button>
        </p>
      ) : null}
    </div>
  );
}

// The words under the keyboard's focus: j and k move it, o and Enter open the error they are about.
function Words({items, withProject}: {items: Feedback[]; withProject: boolean}) {
  const list = useRef<HTMLUListElement>(null);
  const at = (): number => [...list.current!.children].findIndex(each => each.contains(document.activeElement));
  const move = (by: number) => (): void => {
    const cards = [...list.current!.children] as HTMLElement[];
    const to = cards[Math.max(0, Math.min(cards.length - 1, at() + by))];
    to?.focus();
    to?.scrollIntoView({block: 'nearest'});
  };
  const open = (): void => {
    const said = items[at()];
    if (said?.issue) navigate(hrefs.issue(said.issue.id, said.event_id));
  };
  useKeys({j: move(1), k: move(-1), o: open, Enter: open});
  return (
    <ul ref={list}>
      {items.map(each => (
        <Said key={each.id} of={each} about="issue" withProject={withProject} />
      ))}
    </ul>
  );
}

export function FeedbackPage({project}: {project: string}) {
  const {items, next, error, loading, refresh, more} = usePages<FeedbackList, Feedback>({
    path: cursor => paths.feedback(project, cursor),
    read: answer => ({items: answer.feedback, next: answer.next}),
    idOf: each => each.id,
    interval: pollMs,
  });
  const projects = usePolled<ProjectList>(paths.projects, 0).data?.projects.map(each => each.slug) ?? [];
  document.title = 'Feedback · culprit';
  const ready = items !== null;
  useLayoutEffect(() => {
    if (ready) restoreScroll();
  }, [ready]);
  return (
    <article class="settings-page">
      <div class="feedback-head">
        <h1>Feedback</h1>
        {projects.length > 1 || project ? <ProjectChoice known={projects} value={project} /> : null}
      </div>
      {items ? <Stale error={error} /> : null}
      {!items && loading ? <Loading what="the feedback" /> : null}
      {!items && error ? (
        <Failure error={error} title="The feedback could not be loaded">
          <button type="button" onClick={refresh}>
            Try again
          </button>
        </Failure>
      ) : null}
      {items?.length === 0 ? <Nothing project={project} /> : null}
      {items && items.length > 0 ? <Words items={items} withProject={projects.length > 1 && !project} /> : null}
      {next ? (
        <p class="more">
          <button type="button" onClick={() => void more()}>
            Older ones
          </button>
        </p>
      ) : null}
      {items && items.length > 0 ? (
        <p class="foot dim">
          {next ? 'There is more' : 'That is all'}
          {project ? (
            <>
              {' '}
              of <Text text={project} />
            </>
          ) : null}{' '}
          · renews itself
        </p>
      ) : null}
    </article>
  );
}

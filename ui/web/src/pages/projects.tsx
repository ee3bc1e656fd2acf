// SPDX-License-Identifier: Apache-2.0
//
// The projects that Sentry SDKs send to, each with its DSN.
import {useLayoutEffect, useState} from 'preact/hooks';
import {reachable} from '../addresses';
import {paths, send, type ApiError, type Project, type ProjectList} from '../api';
import {exact, plural} from '../format';
import {usePolled} from '../hooks';
import {navigate, restoreScroll} from '../navigation';
import {Id} from '../parts/copy';
import {Failure, Loading, Stale} from '../parts/notice';
import {Text} from '../parts/text';
import {Ago} from '../parts/time';
import {toast} from '../parts/toast';
import {hrefs} from '../route';

const pollMs = 5000;

export function limitsOf(project: Project): string {
  const {events_per_minute, transactions_per_minute, logs_per_minute} = project.settings;
  const limits = [
    events_per_minute ? `${exact(events_per_minute)} events` : '',
    transactions_per_minute ? `${exact(transactions_per_minute)} transactions` : '',
    logs_per_minute ? `${exact(logs_per_minute)} logs` : '',
  ].filter(Boolean);
  return limits.length > 0 ? limits.join(', ') + ' a minute' : 'no limit';
}

function Row({project}: {project: Project}) {
  const active = project.keys.filter(key => key.active).length;
  return (
    <li class="panel project">
      <h2>
        <a href={hrefs.project(project.slug)}>
          <Text text={project.slug} />
        </a>
      </h2>
      {project.dsn ? (
        <Id id={reachable(project.dsn, location.hostname)} what={`DSN of ${project.slug}`} />
      ) : (
        <p class="bad">No active key: nothing can be sent to it.</p>
      )}
      <p class="dim">
        {plural(active, 'active key')}
        {project.keys.length > active ? ` of ${project.keys.length}` : ''} · {limitsOf(project)} · made{' '}
        <Ago time={project.created} />
      </p>
    </li>
  );
}

function NewProject({onMade}: {onMade: () => void}) {
  const [slug, setSlug] = useState('');
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const create = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      const made = await send<Project>('POST', paths.projects, {slug: slug.trim()});
      setError(null);
      toast(`Made the project ${made.slug}`);
      onMade();
      navigate(hrefs.project(made.slug));
    } catch (failure) {
      setError((failure as ApiError).message);
    }
    setBusy(false);
  };
  return (
    <form class="panel" onSubmit={event => void create(event)}>
      <h2>New project</h2>
      <div class="line">
        <label>
          <span class="label">Name</span>
          <input
            type="text"
            value={slug}
            required
            maxLength={50}
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            placeholder="shop"
            aria-invalid={error !== null}
            aria-describedby="slug-help"
            onInput={event => setSlug(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="primary" disabled={busy || slug.trim() === ''}>
          Create
        </button>
      </div>
      <p id="slug-help" class={error ? 'bad' : 'dim'} role={error ? 'alert' : undefined}>
        <Text
          text={error ?? 'Lower-case letters, digits, “-” and “_”. It stays as it is, and begins the ids of issues.'}
        />
      </p>
    </form>
  );
}

export function ProjectsPage() {
  const {data, error, loading, refresh} = usePolled<ProjectList>(paths.projects, pollMs);
  document.title = 'Projects · culprit';
  const ready = data !== null;
  useLayoutEffect(() => {
    if (ready) restoreScroll();
  }, [ready]);
  if (!data) {
    return loading ? (
      <Loading what="the projects" />
    ) : (
      <Failure error={error!} title="The projects could not be loaded">
        <button type="button" onClick={refresh}>
          Try again
        </button>
      </Failure>
    );
  }
  return (
    <article class="settings-page">
      <Stale error={error} />
      <h1>Projects</h1>
      <p class="dim intro">
        A Sentry SDK finds its project by the DSN it is given. What comes over OTLP belongs to{' '}
        <Text text={data.projects[0]?.slug} />.
      </p>
      <ul>
        {data.projects.map(project => (
          <Row key={project.id} project={project} />
        ))}
      </ul>
      <NewProject onMade={refresh} />
    </article>
  );
}

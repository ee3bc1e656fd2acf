// SPDX-License-Identifier: Apache-2.0
//
// One project: its keys, how its data are scrubbed, how much it may send.
import {useLayoutEffect, useState} from 'preact/hooks';
import {reachable} from '../addresses';
import {paths, send, type ApiError, type Project, type ProjectKey, type ProjectList} from '../api';
import {usePolled} from '../hooks';
import {restoreScroll} from '../navigation';
import {Copy, Id} from '../parts/copy';
import {Failure, Loading, Stale} from '../parts/notice';
import {Text} from '../parts/text';
import {Ago} from '../parts/time';
import {toast, toastFailure} from '../parts/toast';
import {hrefs, noFilters} from '../route';
import {visible} from '../text';
import {Settings} from './project_settings';

function Key({of, onChange, isLast}: {of: ProjectKey; onChange: (run: KeyChange) => void; isLast: boolean}) {
  const [sure, setSure] = useState(false);
  const name = of.key.slice(0, 8);
  return (
    <li class={of.active ? '' : 'inactive'}>
      <div class="key">
        {of.dsn ? (
          <Id id={reachable(of.dsn, location.hostname)} what={`DSN with key ${name}`} />
        ) : (
          <Id id={of.key} what={`key ${name}`} />
        )}
        <span class="dim">
          {of.active ? '' : 'deactivated, refused · '}made <Ago time={of.created} />
        </span>
      </div>
      <div class="buttons">
        <button
          type="button"
          aria-label={`${of.active ? 'Deactivate' : 'Activate'} key ${name}`}
          title={of.active && isLast ? 'The last active key: nothing can be sent to the project without it' : undefined}
          onClick={() => onChange({kind: 'active', key: of.key, active: !of.active})}
        >
          {of.active ? 'Deactivate' : 'Activate'}
        </button>
        {of.active ? null : (
          <button
            type="button"
            class={sure ? 'danger' : ''}
            aria-label={`${sure ? 'Really delete' : 'Delete'} key ${name}`}
            onBlur={() => setSure(false)}
            onClick={() => (sure ? onChange({kind: 'delete', key: of.key}) : setSure(true))}
          >
            {sure ? 'Really delete' : 'Delete'}
          </button>
        )}
      </div>
    </li>
  );
}

type KeyChange = {kind: 'new'} | {kind: 'active'; key: string; active: boolean} | {kind: 'delete'; key: string};

function Keys({project, onChanged}: {project: Project; onChanged: () => void}) {
  const change = async (run: KeyChange): Promise<void> => {
    try {
      if (run.kind === 'new') {
        await send<ProjectKey>('POST', paths.projectKeys(project.slug));
        toast('Made a new key');
      } else if (run.kind === 'delete') {
        await send<Project>('DELETE', paths.projectKey(project.slug, run.key));
        toast(`Deleted key ${run.key.slice(0, 8)}`);
      } else {
        await send<ProjectKey>('PATCH', paths.projectKey(project.slug, run.key), {active: run.active});
        toast(
          `Key ${run.key.slice(0, 8)} is ${run.active ? 'honoured' : 'refused'} now`,
          () => void change({...run, active: !run.active}),
        );
      }
    } catch (failure) {
      toastFailure((failure as ApiError).message);
    }
    onChanged();
  };
  const active = project.keys.filter(key => key.active).length;
  return (
    <section class="panel" aria-labelledby="keys-title">
      <div class="section-head">
        <h2 id="keys-title">Keys</h2>
        <button type="button" onClick={() => void change({kind: 'new'})}>
          New key
        </button>
      </div>
      {active === 0 ? (
        <p class="bad" role="status">
          No active key: whatever is sent to this project is refused.
        </p>
      ) : null}
      <ul class="keys">
        {project.keys.map(key => (
          <Key key={key.key} of={key} isLast={active === 1} onChange={run => void change(run)} />
        ))}
      </ul>
      <p class="dim">
        To change a key: make a new one, give its DSN to the applications, and deactivate the old one when they all have
        it.
      </p>
    </section>
  );
}

function Setup({dsn}: {dsn: string}) {
  const text = `export SENTRY_DSN=${dsn}`;
  return (
    <section class="panel" aria-labelledby="setup-title">
      <h2 id="setup-title">Send to it</h2>
      <div class="command">
        <pre>
          <Text text={text} />
        </pre>
        <Copy text={text} what="SENTRY_DSN" />
      </div>
      <p class="dim">Sentry SDKs read this variable, or take the DSN in their init call.</p>
    </section>
  );
}

export function ProjectPage({slug}: {slug: string}) {
  const {data: project, error, loading, refresh, put} = usePolled<Project>(paths.project(slug), 0);
  const {data: all} = usePolled<ProjectList>(paths.projects, 0);
  document.title = visible(slug) + ' · culprit';
  const ready = project !== null;
  useLayoutEffect(() => {
    if (ready) restoreScroll();
  }, [ready]);
  if (!project) {
    if (loading) return <Loading what="the project" />;
    return (
      <Failure
        error={error!}
        title={error?.code === 404 ? 'There is no such project' : 'The project could not be loaded'}
      >
        <p>
          <a href={hrefs.projects}>To the projects</a>{' '}
          <button type="button" onClick={refresh}>
            Try again
          </button>
        </p>
      </Failure>
    );
  }
  return (
    <article class="settings-page">
      <Stale error={error} />
      <p class="path">
        <a href={hrefs.projects}>Projects</a> <span aria-hidden="true">›</span>
      </p>
      <h1>
        <Text text={project.slug} />
      </h1>
      <p class="intro">
        <a href={hrefs.inbox({...noFilters, project: project.slug})}>Its errors</a> ·{' '}
        <a href={hrefs.feedback(project.slug)}>its feedback</a>
      </p>
      {project.dsn ? <Setup dsn={reachable(project.dsn, location.hostname)} /> : null}
      <Keys project={project} onChanged={refresh} />
      <Settings project={project} defaults={all?.defaults.scrub ?? null} onSaved={saved => put(() => saved)} />
    </article>
  );
}

// SPDX-License-Identifier: Apache-2.0
import {render} from 'preact';
import {useErrorBoundary, useLayoutEffect, useRef} from 'preact/hooks';
import {forgetAnswers, startKeys} from './hooks';
import {startNavigation, useRoute} from './navigation';
import {FeedbackPage} from './pages/feedback';
import {Inbox} from './pages/inbox';
import {IssuePage} from './pages/issue';
import {ProjectPage} from './pages/project';
import {ProjectsPage} from './pages/projects';
import {RequestPage} from './pages/request';
import {StatusPage} from './pages/status';
import {Layout} from './parts/layout';
import {Text} from './parts/text';
import type {Route} from './route';

function Missing() {
  document.title = 'No such page · culprit';
  return (
    <div class="failure">
      <h1>No such page</h1>
      <p>
        Nothing of culprit is under this address. <a href="/">To the errors</a>
      </p>
    </div>
  );
}

function Page({route}: {route: Route}) {
  switch (route.page) {
    case 'inbox':
      return <Inbox filters={route.filters} />;
    case 'issue':
      return <IssuePage key={route.id} id={route.id} eventId={route.event} />;
    case 'request':
      return <RequestPage key={route.id} id={route.id} spanId={route.span} />;
    case 'feedback':
      return <FeedbackPage project={route.project} />;
    case 'projects':
      return <ProjectsPage />;
    case 'project':
      return <ProjectPage key={route.id} slug={route.id} />;
    case 'status':
      return <StatusPage />;
    case 'missing':
      return <Missing />;
  }
}

// A page that fails must not take the others with it: it says what happened, and the rest still works.
function Guarded({route}: {route: Route}) {
  const [error, reset] = useErrorBoundary(fault => {
    forgetAnswers();
    console.error(fault);
  });
  if (!error) return <Page route={route} />;
  return (
    <div class="failure" role="alert">
      <h1>This page could not be shown</h1>
      <p>
        <Text text={String(error)} />
      </p>
      <p>
        <button type="button" onClick={reset}>
          Try again
        </button>{' '}
        <a href="/">To the errors</a>
      </p>
    </div>
  );
}

function App() {
  const route = useRoute();
  const first = useRef(true);
  const place = route.page + ('id' in route ? route.id : '');
  // A reader of the screen, and the Tab key, start at the new page.
  useLayoutEffect(() => {
    if (!first.current) document.getElementById('main')?.focus({preventScroll: true});
    first.current = false;
  }, [place]);
  return (
    <Layout route={route}>
      <Guarded key={place} route={route} />
    </Layout>
  );
}

startNavigation();
startKeys();
render(<App />, document.getElementById('app')!);

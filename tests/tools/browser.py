"""Headless Chromium for tests of our pages, spoken to through a pipe by the Chrome DevTools Protocol: no driver and no
package is needed beside the browser.
"""
import base64
import json
import os
import select
import shutil
import subprocess
import time

KEYS = {'Enter': ('Enter', 13, '\r'), 'Tab': ('Tab', 9, ''), 'Space': ('Space', 32, ' ')}


class Browser:
    """One page. Remembers every request and every complaint, so that a test can say there was none."""

    def __init__(self, profile, width=1280, height=1000):
        to_browser, self._to = os.pipe()
        self._from, from_browser = os.pipe()

        def take_pipes():  # the browser reads 3 and writes 4
            os.dup2(to_browser, 103)
            os.dup2(from_browser, 104)
            os.dup2(103, 3)
            os.dup2(104, 4)

        self._process = subprocess.Popen(
            [shutil.which('chromium'), '--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--hide-scrollbars',
             '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
             '--remote-debugging-pipe', f'--user-data-dir={profile}', 'about:blank'],
            preexec_fn=take_pipes, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self._buffer, self._number, self._events, self._session = b'', 0, [], None
        self.requests, self.complaints = [], []
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        self._session = self.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Network', 'Runtime', 'Log'):
            self.call(f'{domain}.enable')
        self.resize(width, height)

    def close(self):
        os.close(self._to)
        self._process.terminate()
        self._process.wait(timeout=30)
        os.close(self._from)

    def _receive(self, deadline):
        while b'\0' not in self._buffer:
            if not select.select([self._from], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError('the browser does not answer')
            part = os.read(self._from, 1 << 20)
            if not part:
                raise EOFError('the browser has ended')
            self._buffer += part
        message, self._buffer = self._buffer.split(b'\0', 1)
        message = json.loads(message)
        if 'method' in message:
            self._note(message['method'], message['params'])
        return message

    def _note(self, method, params):
        self._events.append(method)
        if method == 'Network.requestWillBeSent':
            self.requests.append(params['request']['url'])
        elif method == 'Runtime.exceptionThrown':
            self.complaints.append(params['exceptionDetails'].get('exception', {}).get('description', 'an exception'))
        elif method == 'Runtime.consoleAPICalled':
            self.complaints.append(str(params['args']))
        elif method == 'Log.entryAdded':
            self.complaints.append(params['entry']['text'])
        elif method == 'Page.javascriptDialogOpening':
            self.complaints.append('a dialogue: ' + params['message'])

    def call(self, method, **params):
        self._number += 1
        message = {'id': self._number, 'method': method, 'params': params}
        if self._session:
            message['sessionId'] = self._session
        os.write(self._to, json.dumps(message).encode() + b'\0')
        deadline = time.monotonic() + 120
        while True:
            answer = self._receive(deadline)
            if answer.get('id') == self._number:
                if 'error' in answer:
                    raise RuntimeError(f'{method}: {answer["error"]}')
                return answer['result']

    def open(self, path, scripts=True):
        self.call('Emulation.setScriptExecutionDisabled', value=not scripts)
        self._events.clear()
        self.requests.clear()
        self.complaints.clear()
        self.call('Page.navigate', url=f'file://{path}')
        deadline = time.monotonic() + 120
        while 'Page.loadEventFired' not in self._events:
            self._receive(deadline)

    def run(self, script):
        """The value of an expression of JavaScript."""
        result = self.call('Runtime.evaluate', expression=script, returnByValue=True, awaitPromise=True)
        if 'exceptionDetails' in result:
            raise RuntimeError(result['exceptionDetails']['exception']['description'])
        return result['result'].get('value')

    def click(self, selector):
        """As a mouse does, in the middle of what is seen of an element."""
        box = self.run(f'''(() => {{ const element = document.querySelector({json.dumps(selector)});
            element.scrollIntoView({{block: "center", inline: "center", behavior: "instant"}});
            const box = element.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()''')
        for kind in ('mousePressed', 'mouseReleased'):
            self.call('Input.dispatchMouseEvent', type=kind, x=box[0], y=box[1], button='left', clickCount=1)

    def press(self, key):
        code, number, text = KEYS[key]
        for kind in ('keyDown', 'keyUp'):
            self.call('Input.dispatchKeyEvent', type=kind, key=' ' if key == 'Space' else key, code=code,
                      windowsVirtualKeyCode=number, text=text if kind == 'keyDown' else '')

    def type(self, text):
        self.call('Input.insertText', text=text)

    def resize(self, width, height):
        self.call('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1, mobile=False)

    def prefer(self, **features):
        """prefer(prefers_color_scheme='dark')"""
        self.call('Emulation.setEmulatedMedia',
                  features=[{'name': name.replace('_', '-'), 'value': value} for name, value in features.items()])

    def names(self, role):
        """What a screen reader says of all elements of a role."""
        nodes = self.call('Accessibility.getFullAXTree')['nodes']
        return [node['name']['value'] for node in nodes
                if not node['ignored'] and node['role']['value'] == role and 'name' in node]

    def screenshot(self, path, whole=False):
        data = self.call('Page.captureScreenshot', captureBeyondViewport=whole)['data']
        path.write_bytes(base64.b64decode(data))

    def pdf(self):
        return base64.b64decode(self.call('Page.printToPDF', preferCSSPageSize=True)['data'])

// The Authentication page's verifyWebhookSignature() and its usage, word for word, in an Express app behind a JSON body
// parser; and the guide's isSigned(), which has to agree.
const express = require('express');
const crypto = require('crypto');

function verifyWebhookSignature(payload, signature, secret) {
  const expectedSignature = crypto
    .createHmac('sha256', secret)
    .update(payload)
    .digest('hex');
  
  return crypto.timingSafeEqual(
    Buffer.from(signature),
    Buffer.from(expectedSignature)
  );
}

function isSigned(body, signature = '') {
  const expected = crypto.createHmac('sha256', process.env.WEBHOOK_SECRET).update(body).digest('hex');
  return (
    signature.length === expected.length &&
    crypto.timingSafeEqual(Buffer.from(signature), Buffer.from(expected))
  );
}

let webhookSecret = '';
let received = [];

const app = express();
app.use(express.json({ limit: '1mb', verify: (req, _res, raw) => { req.raw = raw.toString('base64'); } }));

app.post('/webhooks', (req, res) => {
  const delivery = { type: req.body.type, headers: req.headers, raw: req.raw, verified: false };
  received.push(delivery);

  // Usage
  const signature = req.headers['x-innoai-signature'];
  const payload = JSON.stringify(req.body);

  if (!verifyWebhookSignature(payload, signature, webhookSecret)) {
    return res.status(401).json({ error: 'Invalid signature' });
  }

  delivery.verified = isSigned(Buffer.from(req.raw, 'base64'), signature);
  return res.json({ received: true });
});

// What the test asks: to know this secret and begin anew, and what came since.
app.put('/secret', (req, res) => {
  webhookSecret = process.env.WEBHOOK_SECRET = req.body.secret;
  received = [];
  res.json({});
});
app.get('/received', (_req, res) => res.json(received));

const listener = app.listen(0, '127.0.0.1', () => {
  const { port } = listener.address();
  console.error(JSON.stringify({ event: 'listening', address: `http://127.0.0.1:${port}` }));
});

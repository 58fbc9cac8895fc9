// What TypeScript knows of the package. It is compiled, and not run: each error that has to be one is expected.

// What TypeScript knows of the package. It is compiled, and not run: each error that has to be one is expected.

import DefaultInnoAI, {
  audit,
  type Check,
  InnoAI,
  InnoAIError,
  type InnoAIOptions,
  InvalidApiKey,
  type NewApiKey,
  type UsageBucket,
  webhooks,
} from 'innoai';
import { verify as verifyLog } from 'innoai/audit';
import { verify, verifyStandard } from 'innoai/webhooks';
import type OpenAI from 'openai';
import type { APIError, AuthenticationError } from 'openai';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(..._: Equal<A, B> extends true ? [] : [never]): void {}

export async function clients(): Promise<void> {
  const client = new InnoAI();
  new InnoAI({ apiKey: process.env.INNOAI_API_KEY, baseURL: 'https://gateway.example/v1' });
  new InnoAI({ customerId: 'customer-123', scopes: ['inference:read'], tokenLifetime: 60, timeout: 1000 });
  new InnoAI({ apiKey: async () => 'sk-inno-…', maxRetries: 0 });
  same<typeof DefaultInnoAI, typeof InnoAI>();
  const options: InnoAIOptions = { defaultHeaders: { 'X-Mine': '1' } };
  const plain: OpenAI = new InnoAI(options);
  plain.chat.completions;
  // @ts-expect-error: scopes is a list
  new InnoAI({ scopes: 'inference:read' });
  // @ts-expect-error: no such scope
  new InnoAI({ scopes: ['inference:all'] });
  // @ts-expect-error: no such option
  new InnoAI({ api_key: 'sk-inno-…' });
  // @ts-expect-error: OpenAI's own ways to authenticate are not this server's
  new InnoAI({ adminAPIKey: 'sk-…' });

  const tenant: InnoAI = client.asCustomer('customer-123', { scopes: ['inference:write'], expiresIn: 600 });
  const patient: InnoAI = tenant.withOptions({ timeout: 5000, scopes: ['inference:read'] });
  // @ts-expect-error: the client's seconds are numbers
  patient.asCustomer('customer-123', { expiresIn: '1h' });
}

export async function inference(client: InnoAI): Promise<void> {
  const completion: OpenAI.ChatCompletion = await client.chat.completions.create({
    model: 'm',
    messages: [],
  });
  completion.choices;
  const stream = await client.chat.completions.create({ model: 'm', messages: [], stream: true });
  for await (const chunk of stream) same<typeof chunk, OpenAI.ChatCompletionChunk>();
  const { data } = await client.embeddings.create({ model: 'm', input: 'a' });
  same<typeof data, OpenAI.Embedding[]>();
  for await (const model of client.models.list()) same<typeof model, OpenAI.Model>();
}

export async function controlPlane(client: InnoAI): Promise<void> {
  const key: NewApiKey = await client.keys.create(
    {
      name: 'Production Backend',
      scopes: ['inference:read', 'inference:write'],
      allowed_ips: ['10.0.0.0/8'],
      expires_at: new Date(),
      budgets: { monthly: '20.50', total: 100n },
    },
    { idempotencyKey: 'mine', timeout: 1000 },
  );
  same<typeof key.key, string>();
  const again = await client.keys.get(key.id);
  same<typeof again.key, string | undefined>();
  same<typeof again.status, 'active' | 'expired' | 'revoked'>();
  await client.keys.update(key.id, { expires_at: null, models: null });
  same<Awaited<ReturnType<typeof client.keys.revoke>>, void>();
  // @ts-expect-error: a key has a name
  client.keys.create({ level: 'read' });
  // @ts-expect-error: no such level
  client.keys.create({ name: 'ci', level: 'root' });

  const pair = await client.auth.token({ customer_id: 'customer-123', expires_in: 600, rotate: true });
  same<typeof pair.expires_in, number>();
  // @ts-expect-error: the wire's names are not changed
  client.auth.token({ customerId: 'customer-123' });

  for await (const customer of client.customers.list({ limit: 10 }))
    same<typeof customer.name, string | null>();
  const page = await client.keys.list();
  same<typeof page.next_cursor, string | null>();
  for await (const record of client.billing.usage()) same<typeof record.cost, string | null>();
  for await (const bucket of client.billing.usage({ group_by: ['model'] }))
    same<typeof bucket, UsageBucket>();
  const usage = await client.billing.usage({ group_by: ['day'], from: new Date() });
  same<typeof usage.currency, string>();
  // @ts-expect-error: no such group
  client.billing.usage({ group_by: ['week'] });
  const csv = await client.billing.usageCsv();
  same<typeof csv, Response>();
  for await (const event of client.webhooks.stream({ event_types: ['key.*'] }))
    same<typeof event.type, string>();
  for await (const news of client.requests.stream({ only: 'refused' })) {
    if (news.object === 'decided_request') same<typeof news.checks, Check[]>();
    else if (news.object === 'lost_requests') same<typeof news.count, number>();
    else same<typeof news.cost, string | null>();
  }
  const endpoint = await client.webhooks.create({ url: 'https://example.com/hook' });
  same<typeof endpoint.secret, string>();
  const verdict = await client.audit.verify();
  if (verdict.whole) verdict.head.hash;
  else verdict.why;
  // @ts-expect-error: a verdict has a head only if the log is whole
  verdict.head;
}

export async function failures(client: InnoAI): Promise<void> {
  try {
    await client.auth.validate();
  } catch (problem) {
    if (problem instanceof InvalidApiKey) {
      const status: 401 = problem.status;
      const asOpenAIs: AuthenticationError = problem;
      same<typeof problem.requiredScope, string | null>();
      same<typeof problem.retry_after, number | null>();
      [status, asOpenAIs];
    } else if (problem instanceof InnoAIError) {
      const asOpenAIs: APIError = problem;
      same<typeof problem.retryAfter, number | null>();
      same<typeof problem.code, string | null | undefined>();
      asOpenAIs.requestID;
    }
  }
}

export async function verification(request: Request, body: Uint8Array, secret: string): Promise<void> {
  same<Awaited<ReturnType<typeof verify>>, boolean>();
  await verify(await request.text(), request.headers.get('x-innoai-signature'), secret);
  await verifyStandard(body, request.headers, secret, { tolerance: 60 });
  await webhooks.verifyStandard(body, { 'webhook-id': 'evt_1' }, secret);
  // @ts-expect-error: an object is not the body as it came
  await verify({}, 'ab', secret);
  const verdict = await verifyLog(['{}'], { heads: [{ sequence: 0, hash: audit.BEGINNING }] });
  same<typeof verdict.whole, boolean>();
}

declare const process: { env: Record<string, string | undefined> };

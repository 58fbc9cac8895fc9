// The OpenAI client exactly as the documentation shows it; the tests put another host and key into this text.
import OpenAI from 'openai';

const client = new OpenAI({
  baseURL: 'https://ai-gateway.innoserver.cloud/v1',
  apiKey: 'your-api-key', // Your InnoAI API key
});

const model = 'inno-ai-boyong-4.5';
const messages = [{ role: 'user', content: 'Hello' }];

const whole = await client.chat.completions.create({ model, messages });

const chunks = [];
for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
  chunks.push(chunk);
}

const counted = [];
const options = { stream: true, stream_options: { include_usage: true } };
for await (const chunk of await client.chat.completions.create({ model, messages, ...options })) {
  counted.push(chunk);
}

const models = await client.models.list();

console.log(JSON.stringify({ whole, chunks, counted, models: models.data.map(({ id }) => id) }));

// A customer's token exactly as the documentation makes it, for the OpenAI client.
import OpenAI from 'openai';

// Create a customer-scoped token
const token = await fetch('https://api.innoai.ph/v1/auth/token', {
  method: 'POST',
  headers: { 
    'Authorization': 'Bearer YOUR_API_KEY',
    'Content-Type': 'application/json'
  },
  body: JSON.stringify({
    customer_id: 'customer-123',
    scopes: ['inference:read', 'inference:write'],
    expires_in: 3600 // 1 hour
  })
}).then((response) => response.json()); // the page leaves out that fetch() gives a response to be read

// Use customer token
const customerClient = new OpenAI({
  baseURL: 'https://ai-gateway.innoserver.cloud/v1',
  apiKey: token.access_token,
});

const model = 'inno-ai-boyong-4.5';
const messages = [{ role: 'user', content: 'Hello' }];
const whole = await customerClient.chat.completions.create({ model, messages });

let streamed = '';
for await (const chunk of await customerClient.chat.completions.create({ model, messages, stream: true })) {
  streamed += chunk.choices[0].delta.content ?? '';
}

console.log(JSON.stringify({ token, whole, streamed }));
